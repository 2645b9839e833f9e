// A parser written straight from the HTML standard, a character at a time and without a thought for speed. It judges the
// product's parser, and nothing else uses it.
import type { ParsedEvent } from "../../src/wire/parse.ts";

/** Everything that a parser can report, in the order in which it reports it. */
export type Report =
  | { readonly event: ParsedEvent }
  | { readonly comment: string }
  | { readonly retry: number }
  | { readonly field: readonly [name: string, value: string] };

/** @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
export function interpret(text: string): { reports: Report[]; lastEventId: string } {
  const reports: Report[] = [];
  let lastEventId = "";
  let [data, type, idBuffer] = ["", "", ""];
  // Not in the standard: the event's own id and its channel.
  let [id, channel]: (string | undefined)[] = [undefined, undefined];

  for (const line of linesOf(text)) {
    if (line === "") {
      lastEventId = idBuffer;
      if (data !== "") {
        reports.push({
          event: { type: type === "" ? "message" : type, data: data.slice(0, -1), id, lastEventId, channel },
        });
      }
      [data, type] = ["", ""];
      [id, channel] = [undefined, undefined];
      continue;
    }
    const [, name, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) as unknown as [string, string, string | undefined];
    field(name, value ?? "");
  }
  return { reports, lastEventId };

  function field(name: string, value: string): void {
    if (name === "") reports.push({ comment: value });
    else if (name === "event") type = value;
    else if (name === "data") data += `${value}\n`;
    else if (name === "id") {
      if (!value.includes("\0")) id = idBuffer = value;
    } else if (name === "retry") {
      if (/^[0-9]+$/.test(value)) reports.push({ retry: Number.parseInt(value, 10) });
    } else {
      if (name === "channel") channel = value;
      reports.push({ field: [name, value] });
    }
  }
}

/** The lines that have ended. The rest is thrown away: an unfinished line is part of an unfinished event. */
function linesOf(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (let index = text.startsWith("\uFEFF") ? 1 : 0; index < text.length; index++) {
    const character = text[index] as string;
    if (character !== "\r" && character !== "\n") {
      line += character;
      continue;
    }
    if (character === "\r" && text[index + 1] === "\n") index++;
    lines.push(line);
    line = "";
  }
  return lines;
}
