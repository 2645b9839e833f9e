// The error of an event that does not fit its contract.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import type { StandardIssue } from "./standard-schema.ts";

/** An event that does not fit the contract. */
export class EventContractError extends SourcecastTypeError {
  /** The issues that the schema reported. Empty if no schema was asked: the type is unknown, or the schema is asynchronous. */
  readonly issues: readonly StandardIssue[];

  /**
   * @param message The message.
   * @param issues The issues of the schema.
   */
  constructor(message: string, issues: readonly StandardIssue[] = []) {
    super("ERR_SSE_CONTRACT", message);
    this.issues = issues;
  }
}

/** How many issues a message names; the error carries all. */
const maxNamedIssues = 10;

/** The issues as one line. */
export function describeIssues(issues: readonly StandardIssue[]): string {
  const texts = issues.slice(0, maxNamedIssues).map(({ message, path }) => {
    const at = describePath(path ?? []);
    return at === "" ? message : `${at}: ${message}`;
  });
  if (issues.length > maxNamedIssues) texts.push(`and ${issues.length - maxNamedIssues} more`);
  return texts.join("; ");
}

/** A path as a program would write it: `lines[0].price`. */
function describePath(path: NonNullable<StandardIssue["path"]>): string {
  let text = "";
  for (const segment of path) {
    const key = typeof segment === "object" ? segment?.key : segment;
    if (typeof key === "string" && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)) text += text ? `.${key}` : key;
    else text += `[${quote(key)}]`;
  }
  return text;
}
