// What the editor knows of flow_api: completion behind `this.`, `system.` and `flow_api.`, and a word on hover.
// A test compares these names with the package itself.

export const WORDS = {
  this: [
    ["flow", "(name, inputs=None, wait=True, **inputs)", "Starts a flow as a child and, unless wait=False, waits for it. Unknown keywords become inputs."],
    ["script", "(script, inputs=None, wait=True, **inputs)", "Starts a script given as text as a child."],
    ["connect", "(connector, wait=True, **inputs)", "Makes a connection and, unless wait=False, waits for it: .get('output_value'). Without a connector: connector_type='REST'."],
    ["using", "(wrapper, **inputs)", "Starts through a wrapper: this.using('retry', max_tries=3).flow('name')."],
    ["start_child", "(inputs=None, wait=True, **inputs)", "In a wrapper: starts what it wraps."],
    ["wait", "(*executions, return_when=…)", "Waits for children; all of them unless return_when says otherwise."],
    ["wait_for", "(*executions, return_when=…)", "Waits for the executions given and returns them."],
    ["run", "(wait=True)", "Runs an execution that was made with run=False."],
    ["run_async", "()", "Runs an execution that was made with run=False and goes on at once."],
    ["clone", "(name=None, wait=True, **fields)", "Runs the same again as a new execution."],
    ["cancel", "()", "Ends an execution as cancelled."],
    ["message", "(subject, message=None, request=None, body=None, wait=True, timeout=None)", "Shows people a text, a question or a form and waits for the answer: .get('response')."],
    ["log", "(*values, level='info', **named)", "Writes a line to the log of the execution."],
    ["get", "(*fields)", "Returns the value of a field, or several as a tuple: this.get('id')."],
    ["get_dict", "(*fields)", "Returns fields as a dictionary."],
    ["save", "(**fields)", "Stores fields: this.save(message='half done')."],
    ["set_output", "(key, value)", "Sets a value of the output."],
    ["sleep", "(seconds)", "Sleeps; costs no slot."],
    ["sleep_until", "(moment)", "Sleeps until a moment; costs no slot."],
    ["success", "(message='')", "Ends the execution as a success."],
    ["error", "(message='')", "Ends the execution as an error."],
    ["webhook_response", "(status=200, headers=None, json=…, end=True)", "Answers the caller of the webhook with json, text, html or bytes; ends unless end=False."],
    ["webhook_html_response", "(html)", "Answers the caller of the webhook with HTML and ends."],
    ["end", "(status, message='')", "Ends the execution: 'success' or 'error'."],
  ],
  system: [
    ["flow", "(name)", "A flow by name or id; with fields, makes or changes it."],
    ["flows", "(filter_=None)", "All flows that match the filter."],
    ["connector", "(name)", "A connector by name or id; with fields, makes or changes it."],
    ["connectors", "(filter_=None)", "All connectors that match the filter."],
    ["setting", "(name)", "A setting by name or id: its value, and its lock."],
    ["settings", "(filter_=None)", "All settings that match the filter."],
    ["wrapper", "(name)", "A wrapper by name or id; with fields, makes or changes it."],
    ["wrappers", "(filter_=None)", "All wrappers that match the filter."],
    ["project", "(name)", "A project by name or id."],
    ["projects", "(filter_=None)", "All projects that match the filter."],
    ["execution", "(id)", "An execution by its id."],
    ["executions", "(filter_=None)", "All executions that match the filter."],
    ["message", "(id)", "A message by its id; with subject and body, writes one without waiting."],
    ["webhook", "(name)", "A webhook by name or id."],
    ["webhooks", "(filter_=None)", "All webhooks that match the filter."],
    ["user", "(name)", "A user by name or id."],
    ["users", "(filter_=None)", "All users that match the filter."],
    ["get_own_user", "()", "The user as whom this execution runs."],
    ["get_env_name", "()", "The name of this environment."],
    ["return_when", "", "ALL_ENDED, ALL_SUCCEEDED or FIRST_ENDED."],
    ["status", "", "All statuses of executions."],
  ],
  flow_api: [
    ["System", "", "The type of system."],
    ["Execution", "", "The type of this."],
    ["ReturnWhen", "", "When waiting for several executions is over."],
    ["DependencyFailedError", "", "A child that was waited for failed; .execution is the child."],
    ["LockTimeoutError", "", "A lock was not free in time."],
    ["LockDeadlockError", "", "The wait for a lock would never be over; data['circle'] names those who wait for each other."],
    ["ResourceNotFoundError", "", "No record has this name or id."],
    ["MessageResponseTimeoutError", "", "Nobody answered a message in time."],
    ["TimeoutExceededError", "", "Something took longer than allowed."],
    ["PermissionDenied", "", "The execution's user may not do this."],
    ["LifecycleSignal", "", "Base of the signals that end a script; not caught by except Exception."],
    ["split_url", "(url)", "Splits an address into the keywords of a connector."],
  ],
};

const PATTERN = /\b(this|system|flow_api)\.(\w*)$/;

/** Completes names behind this., system. and flow_api. */
export function flowCompletions(context) {
  const found = context.matchBefore(PATTERN);
  if (!found) return null;
  const [, owner, begun] = PATTERN.exec(found.text);
  return {
    from: found.to - begun.length,
    options: WORDS[owner].map(([label, detail, info]) => ({ label, detail, info, type: "method", boost: 1 })),
    validFor: /^\w*$/,
  };
}

/** Shows what a name of flow_api does while the pointer rests on it. */
export function flowHover({ hoverTooltip }) {
  return hoverTooltip((view, position) => {
    const line = view.state.doc.lineAt(position);
    for (const match of line.text.matchAll(/\b(this|system|flow_api)\.(\w+)/g)) {
      const from = line.from + match.index;
      if (position < from || position > from + match[0].length) continue;
      const word = WORDS[match[1]].find(([name]) => name === match[2]);
      return word ? { pos: from, end: from + match[0].length, above: true, create: () => ({ dom: draw(match[1], word) }) } : null;
    }
    return null;
  });
}

function draw(owner, [name, detail, info]) {
  const box = document.createElement("div");
  box.className = "cm-words";
  const code = document.createElement("code");
  code.textContent = `${owner}.${name}${detail}`;
  box.append(code, info);
  return box;
}
