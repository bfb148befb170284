"""From ops to tasks: what each kind of op comes down to, a file for each kind."""
