import { join } from "node:path";
import { findProxy } from "../../../scripts/lib/proxies.mjs";
import { runQuietly } from "../run.ts";
import { certificate, fill, key, type Place, type ProxyKind } from "./proxy.ts";

export const caddy: ProxyKind = {
  name: "caddy",
  file: "Caddyfile",

  bare: (place, { idleTimeout, compress }) =>
    withOptions(
      `http://127.0.0.1:${place.port} {
	${compress ? "encode gzip" : ""}
	reverse_proxy ${serversOf(place)} {
		${idleTimeout === undefined ? "" : `transport http {\n\t\t\tread_timeout ${idleTimeout}ms\n\t\t}`}
	}
}`,
      place,
    ),

  copied: (configuration, place) =>
    withOptions(
      fill(configuration, {
        "example.com {": `https://127.0.0.1:${place.port} {\n\ttls ${certificate} ${key}`,
        "127.0.0.1:3000": serversOf(place),
        "8000": "50",
        "lb_try_duration 5s": "lb_try_duration 1s",
      }),
      place,
    ),

  args: (file) => ["run", "--config", file, "--adapter", "caddyfile"],

  async reload({ folder }) {
    const program = findProxy("caddy") as string;
    // It would see that nothing has changed.
    const args = ["reload", "--force", "--config", join(folder, "Caddyfile"), "--adapter", "caddyfile"];
    await runQuietly(program, [...args, "--address", `unix/${folder}/admin.sock`], { cwd: folder });
  },

  endsInOrder: "SIGTERM",
};

function serversOf({ servers }: Place): string {
  return servers.map((port) => `127.0.0.1:${port}`).join(" ");
}

/** It would ask the world for certificates, redirect from port 80, and listen for its administration. */
function withOptions(site: string, { folder }: Place): string {
  return `{
	admin unix/${folder}/admin.sock
	grace_period 1s
	auto_https off
	storage file_system ${folder}
}
${site}
`;
}
