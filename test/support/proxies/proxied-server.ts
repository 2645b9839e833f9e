import type { Served } from "../../contracts/serving-suite.ts";
import type { Exit, ServerProcess } from "../server-process.ts";
import type { ProxyProcess } from "./proxy.ts";

/** A server that clients reach through a proxy. Its output is the server's own. */
export class ProxiedServer implements Served {
  readonly #server: ServerProcess;
  readonly #proxy: ProxyProcess;

  constructor(server: ServerProcess, proxy: ProxyProcess) {
    this.#server = server;
    this.#proxy = proxy;
  }

  get port(): number {
    return this.#proxy.port;
  }

  get cwd(): string {
    return this.#server.cwd;
  }

  newOutput(): string {
    return this.#server.newOutput();
  }

  newOutputBefore(mark: string): Promise<string> {
    return this.#server.newOutputBefore(mark);
  }

  /** Ends the server, and then the proxy, which still passes on what the server said at last. */
  async stop(signal?: NodeJS.Signals): Promise<Exit> {
    const exit = await this.#server.stop(signal);
    await this.#proxy.stop(this.#proxy.kind.endsInOrder);
    return exit;
  }
}
