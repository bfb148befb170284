import { notify } from "../store/app";
import { Refusal, Unanswered } from "../transport/socket";

/** Say what went wrong, in the server's words where it gave some. */
export function complain(failure: unknown): void {
  if (failure instanceof Refusal) notify("error", failure.error.message, failure.error.hint);
  else if (failure instanceof Unanswered) {
    notify("warning", "The server cannot be reached.", "It is tried again by itself.");
  } else throw failure;
}

/** Run a verb that asks the server, and say so when it fails. */
export async function attempt(verb: () => Promise<void>): Promise<void> {
  try {
    await verb();
  } catch (failure) {
    complain(failure);
  }
}
