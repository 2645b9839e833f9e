import type { InspectorNotification, Runtime, Session } from "node:inspector";

/** Under this the function is handed to the inspector, which knows objects of the program by their expressions alone. */
const handed: symbol = Symbol.for("sourcecast.located");

/**
 * Where a function was written, as `file:line`, or how it begins where that cannot be found. For messages: it asks the
 * inspector, which takes some milliseconds.
 */
export function locationOf(fn: unknown): string {
  const code = String(fn).replace(/\s+/g, " ");
  const beginning = `a function that begins with ${code.length <= 60 ? code : `${code.slice(0, 59)}…`}`;
  try {
    return locate(fn) ?? beginning;
  } catch {
    // The runtime has no inspector, or does not allow it.
    return beginning;
  }
}

function locate(fn: unknown): string | undefined {
  const session: Session = new (process.getBuiltinModule("node:inspector").Session)();
  const urls = new Map<string, string>();
  session.connect();
  try {
    session.on("Debugger.scriptParsed", ({ params }: InspectorNotification<{ scriptId: string; url: string }>) =>
      urls.set(params.scriptId, params.url),
    );
    post(session, "Debugger.enable", {});
    Object.defineProperty(globalThis, handed, { value: fn, configurable: true });
    const { result } = post<Runtime.EvaluateReturnType>(session, "Runtime.evaluate", {
      expression: 'globalThis[Symbol.for("sourcecast.located")]',
    });
    const place = placeOf(session, result);
    const url = place && urls.get(place.scriptId);
    return url ? `${url.replace(/^file:\/\//, "")}:${place.lineNumber + 1}` : undefined;
  } finally {
    Reflect.deleteProperty(globalThis, handed);
    session.disconnect();
  }
}

function placeOf(
  session: Session,
  { objectId }: Runtime.RemoteObject,
): { scriptId: string; lineNumber: number } | undefined {
  const found = post<Runtime.GetPropertiesReturnType>(session, "Runtime.getProperties", {
    objectId,
    ownProperties: true,
  });
  const internal = (name: string) => found.internalProperties?.find((property) => property.name === name)?.value;
  // What bind() made is at no place of its own.
  const target = internal("[[TargetFunction]]");
  return target === undefined ? internal("[[FunctionLocation]]")?.value : placeOf(session, target);
}

/** Within one thread the inspector answers at once. */
function post<Answer = object>(session: Session, method: string, params: object): Answer {
  let answer: Answer | undefined;
  session.post(method, params, (error, result) => {
    if (error === null) answer = result as Answer;
  });
  if (answer === undefined) throw new Error(`No answer to ${method}`);
  return answer;
}
