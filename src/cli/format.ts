// Events as lines: JSON for programs, text for people.
import { styleText } from "node:util";
import type { StreamLoss, TextEvent } from "../client/events.ts";

/** How events are written to an output. Every text ends with a line end, so that texts can be joined. */
export interface Format {
  /** One event, with the line end. */
  event(event: TextEvent): string;
  /** A loss, in its place among the events; empty where reports on standard error are enough. */
  loss(loss: StreamLoss): string;
}

/**
 * One object per line, with data as text: whether it is JSON is the decision of the application, and a type that
 * depends on the value breaks programs.
 */
export const jsonLines: Format = {
  event: ({ type, data, id, channel }) => line({ type, data, id, channel }),
  loss: ({ kind, ...data }) => line({ type: `sse:${kind}`, data: JSON.stringify(data) }),
};

/**
 * Text with colors, if the stream has them: time, type, data, id. The id comes last, because it is long and the least
 * often read. `styleText` follows `NO_COLOR`, `NODE_DISABLE_COLORS` and `FORCE_COLOR`, and the kind of the stream.
 */
export function textLines(stream: NodeJS.WritableStream): Format {
  const style = (color: Color, text: string): string => styleText(color, text, { stream });
  return {
    event({ type, data, id, channel }) {
      const time = style("dim", new Date().toTimeString().slice(0, 8));
      const label = channel === undefined ? "" : `${style("magenta", visible(channel))} `;
      // Further lines of data begin below the first.
      const text = visible(data).replaceAll("\n", `\n${" ".repeat(9)}`);
      const position = id === undefined ? "" : ` ${style("dim", visible(id))}`;
      return `${time} ${label}${style("cyan", visible(type))} ${text}${position}\n`;
    },
    loss: () => "",
  };
}

/**
 * Control characters as text: a server must not be able to move the cursor of a terminal, to type into it, or to make a line
 * read in another order than it has. Hebrew and Arabic need none of them.
 */
export function visible(text: string): string {
  return text.replace(controlCharacters, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to find
const controlCharacters = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

/** The colors that are readable on dark and on light terminals. */
type Color = "dim" | "magenta" | "cyan";

/** JSON leaves the control characters from U+007F to U+009F as they are. Data has none below that after JSON. */
function line(value: object): string {
  return `${visible(JSON.stringify(value))}\n`;
}
