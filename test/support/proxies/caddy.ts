import { certificate, fill, key, type Place, type ProxyKind } from "./proxy.ts";

export const caddy: ProxyKind = {
  name: "caddy",
  file: "Caddyfile",

  bare: (place, { silence, compress }) =>
    withOptions(
      `http://127.0.0.1:${place.port} {
	${compress ? "encode gzip" : ""}
	reverse_proxy ${serversOf(place)} {
		${silence === undefined ? "" : `transport http {\n\t\t\tread_timeout ${silence}ms\n\t\t}`}
	}
}`,
      place,
    ),

  copied: (configuration, place) =>
    withOptions(
      fill(configuration, {
        "example.com {": `https://127.0.0.1:${place.port} {\n\ttls ${certificate} ${key}`,
        "127.0.0.1:3000": serversOf(place),
      }),
      place,
    ),

  args: (file) => ["run", "--config", file, "--adapter", "caddyfile"],

  reload: () => Promise.reject(new Error("It reloads by its interface for administration")),

  endsInOrder: "SIGTERM",
};

function serversOf({ servers }: Place): string {
  return servers.map((port) => `127.0.0.1:${port}`).join(" ");
}

/** It would ask the world for certificates, redirect from port 80, and listen for its administration. */
function withOptions(site: string, { folder }: Place): string {
  return `{
	admin off
	auto_https off
	storage file_system ${folder}
}
${site}
`;
}
