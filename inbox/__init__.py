"""People in the loop: messages that executions write, the forms in them, and who answers."""
