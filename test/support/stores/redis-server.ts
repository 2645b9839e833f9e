/** Redis servers of tests: alone, as a replica, or as the nodes of a cluster. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type StoreKind, type StorePlace, StoreServer } from "./store-server.ts";

/** Directives of redis.conf, in addition to those that every test has. */
export type RedisOptions = Readonly<Record<string, string | number>>;

/** Starts a server. It writes nothing to disk unless `options` say so, such as `{ appendonly: "yes" }`. */
export function startRedis(
  options: RedisOptions = {},
  program: RedisProgram = "redis-server",
  maxFileBytes?: number,
): Promise<StoreServer> {
  return StoreServer.start({ ...redis(options, program), maxFileBytes });
}

/** The server of Debian, the oldest version that a log works with, and Valkey. */
export type RedisProgram = "redis-server" | "redis-server-6.2" | "valkey-server";

/** Starts a sentinel, which alone decides whether a primary is gone, after a second and a half. */
export function startSentinel(name: string, primary: Pick<StorePlace, "port">): Promise<StoreServer> {
  const config = ({ folder }: StorePlace) => join(folder, "sentinel.conf");
  return StoreServer.start({
    name: "redis-server",
    // It keeps what it knows in its configuration, so that has to be a file.
    prepare: async (place) => {
      const lines = [
        "bind 127.0.0.1",
        `port ${place.port}`,
        `dir ${place.folder}`,
        `sentinel monitor ${name} 127.0.0.1 ${primary.port} 1`,
        `sentinel down-after-milliseconds ${name} 1500`,
        `sentinel failover-timeout ${name} 5000`,
      ];
      writeFileSync(config(place), `${lines.join("\n")}\n`);
    },
    args: (place) => [config(place), "--sentinel"],
    isReady: async (place) => (await redisCommand(place, "PING")) === "+PONG",
  });
}

function redis(options: RedisOptions, name: RedisProgram): StoreKind {
  return {
    name,
    args: ({ port, folder }) => {
      const directives = {
        bind: "127.0.0.1",
        port,
        dir: folder,
        save: "",
        appendonly: "no",
        appendfsync: "always",
        "repl-diskless-sync-delay": 0,
        ...options,
      };
      return Object.entries(directives).flatMap(([name, value]) => [`--${name}`, ...String(value).split(" ")]);
    },
    isReady: async (place) => /^(\+PONG|-NOAUTH)/.test(await redisCommand(place, "PING")),
  };
}

/** Sends one command, in the inline form, and resolves with the first line of the answer, or with all of a longer one. */
export async function redisCommand({ port }: Pick<StorePlace, "port">, command: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  try {
    socket.setEncoding("utf8").write(`${command}\r\n`);
    for (let answer = ""; ; ) {
      const [text] = (await once(socket, "data")) as [string];
      answer += text;
      const end = answer.indexOf("\r\n");
      if (end !== -1 && answer.startsWith("$")) {
        const length = Number(answer.slice(1, end));
        if (answer.length >= end + length) return answer.slice(end + 2);
      } else if (end !== -1) return answer.slice(0, end);
    }
  } finally {
    socket.destroy();
  }
}
