// sourcecast/client/worker: the script of a SharedWorker that has the connection for all tabs of a browser.
import { runtime } from "./environment.ts";
import { serveTab } from "./tab-worker.ts";
import type { WorkerOptions } from "./tabs.ts";

/**
 * Lets a `SharedWorker` have the connection for `share: "browser"`. Call it in the script of the worker that
 * subscriptions name by the option `worker`.
 *
 * The worker takes part in the election of the tabs, and leads as long as it runs. If it cannot start, or ends, a tab
 * leads. A live tab calls the functions of the application, such as `headers()`.
 *
 * @example
 * ```ts fragment
 * // events-worker.js
 * import { serveTabs } from "sourcecast/client/worker";
 *
 * serveTabs();
 * ```
 * @see https://html.spec.whatwg.org/multipage/workers.html#shared-workers-and-the-sharedworker-interface
 */
export function serveTabs(): void {
  const scope = globalThis as unknown as { onconnect: (event: { ports: readonly PortLike[] }) => void };
  const groups = new Map();
  scope.onconnect = ({ ports }) => {
    for (const port of ports) port.onmessage = ({ data }) => serveTab(groups, data as WorkerOptions, runtime);
  };
}

interface PortLike {
  onmessage: ((event: { data: unknown }) => void) | null;
}
