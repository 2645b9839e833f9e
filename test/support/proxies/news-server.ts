import { join } from "node:path";
import { onTestFinished } from "vitest";
import { root } from "../package.ts";
import { type Exit, freePort, ServerProcess } from "../server-process.ts";
import { temporaryFile } from "../temporary.ts";

const program = join(root, "test/proxies/fixtures/news-server.ts");

/** One of the servers that have a log together; see its program. It can be asked directly, past the proxy. */
export class NewsServer {
  readonly port: number;
  readonly #database: string;
  #process: ServerProcess;

  static async start(database: string): Promise<NewsServer> {
    const port = await freePort();
    return new NewsServer(database, await launch(database, port));
  }

  private constructor(database: string, process: ServerProcess) {
    this.port = process.port;
    this.#database = database;
    this.#process = process;
  }

  /** Publishes these in order; resolves when the log has accepted all. */
  async publish(data: readonly string[]): Promise<void> {
    await this.#ask("/publish", data.join("\n"));
  }

  /** Sends it to every client of /quiet. */
  async say(data: string): Promise<void> {
    await this.#ask("/say", data);
  }

  /** How many streams are open. */
  async open(): Promise<{ news: number; quiet: number }> {
    return JSON.parse(await this.#ask("/open"));
  }

  stop(signal?: NodeJS.Signals): Promise<Exit> {
    return this.#process.stop(signal);
  }

  /** Starts it once more, where it was. */
  async restart(): Promise<void> {
    this.#process = await launch(this.#database, this.port);
  }

  async #ask(path: string, body?: string): Promise<string> {
    const headers = { connection: "close" };
    const init = body === undefined ? { headers } : { method: "POST", body, headers };
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, init);
    return response.text();
  }
}

/** Starts some on one database, for the present test. */
export async function startNewsServers(count: number): Promise<NewsServer[]> {
  const { path, remove } = temporaryFile("events.db");
  onTestFinished(remove);
  const servers: NewsServer[] = [];
  while (servers.length < count) {
    const server = await NewsServer.start(path);
    onTestFinished(async () => void (await server.stop("SIGKILL")));
    servers.push(server);
  }
  return servers;
}

function launch(database: string, port: number): Promise<ServerProcess> {
  const args = ["--disable-warning=ExperimentalWarning", program, database];
  return ServerProcess.start({ args, cwd: root, port });
}
