"""What a flow process may ask for, by subject. The table of calls is `executions.flow_calls`."""
