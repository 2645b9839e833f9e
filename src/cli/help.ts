// The texts of --help and --version.
import { readFileSync } from "node:fs";
import { exitMeanings } from "./exit-codes.ts";

/**
 * The text of `--help`, at most 100 columns wide. Options are grouped by what they affect, those that most users need first.
 * It goes to standard output, so that `sourcecast --help | less` works; mistakes go to standard error, without it.
 */
export const help: string = `Usage: sourcecast [options] URL

Prints the events of a stream (server-sent events) as they arrive. Reconnects, resumes after the
last event, and reports on standard error what happens to the connection.

Request
  -c, --channel NAME      follow this channel of a hub; repeatable
  -H, --header LINE       send a header such as "authorization: Bearer TOKEN"; repeatable
  -d, --data BODY         send a body, with POST: JSON, a form such as a=1&b=2, or text; @FILE reads
                          a file, @- standard input
  -X, --method METHOD     send another method
      --after CURSOR      continue after this position, the id of an event
      --resume FILE       continue after the position in FILE, and keep it there

Output
  -t, --type TYPE         print only events of this type; repeatable
  -n, --count N           exit after N events
      --json, --no-json   print a JSON object per line, or text; the default is text on a terminal,
                          and JSON elsewhere
  -q, --quiet             report only errors
  -v, --verbose           report response headers and comments too

Connection
      --timeout TIME      exit with 3 after TIME, such as 500ms, 10s or 5m
      --idle TIME         reconnect when a server that announced no keep-alive has sent nothing for
                          TIME; the default is 60s, or 5m for a request that is sent once
      --no-retry          send the request once, and exit when the connection ends; the default
                          with a method other than GET
      --retry             reconnect with any method, sending the body again

  -h, --help              print this text
  -V, --version           print the version

A JSON line has type and data, both text, and id and channel if the event has them. A loss is a
line of the type sse:gap or sse:reset, which --type and --count do not affect. Colors follow
NO_COLOR and FORCE_COLOR.

Exit status
${exitMeanings.map(([code, meaning]) => `  ${code.padEnd(9)} ${meaning}`).join("\n")}

Examples
  sourcecast https://example.com/prices
  sourcecast --channel orders/7 -H "authorization: Bearer $TOKEN" https://example.com/events
  sourcecast --type price https://example.com/prices | jq -r '.data | fromjson | .amount'
  sourcecast --type ready --count 1 --timeout 30s localhost:3000/events && echo "it is up"
  sourcecast --resume position.txt --quiet https://example.com/audit >> audit.jsonl
  sourcecast --data @question.json -H "authorization: Bearer $KEY" https://example.com/v1/chat
`;

/** The version of the package. Its manifest has the same path from src and from dist. */
export function version(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}
