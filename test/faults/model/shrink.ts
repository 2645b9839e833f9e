import type { History, Step } from "./history.ts";

/**
 * Removes steps as long as the history still fails, at first many at a time. The remaining steps are necessary.
 */
export async function shrink(history: History, fails: (history: History) => Promise<boolean>): Promise<History> {
  let { steps } = history;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = steps.length - size; at > -size; at -= size) {
      const fewer = steps.toSpliced(Math.max(0, at), Math.min(size, size + at));
      if (fewer.length < steps.length && (await fails({ ...history, steps: fewer }))) steps = fewer;
    }
  }
  return { ...history, steps };
}

/** A history in a form that a person can read to find the reason. */
export function format({ setup, steps }: History): string {
  const { clients, ...rest } = setup;
  const lines = [
    `setup ${JSON.stringify(rest)}`,
    ...clients.map((client, index) => `client ${index} ${JSON.stringify(client)}`),
    ...steps.map((step, index) => `${String(index).padStart(3)} ${line(step)}`),
  ];
  return lines.join("\n");
}

function line({ do: what, sameTick, ...rest }: Step): string {
  const details = Object.entries(rest).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return `${what} ${details.join(", ")}${sameTick === true ? ", in the same tick as:" : ""}`;
}
