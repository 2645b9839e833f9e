import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { certificate, fill, key, type Place, type ProxyKind } from "./proxy.ts";

export const haproxy: ProxyKind = {
  name: "haproxy",
  file: "haproxy.cfg",

  // The times are those of Debian's own file: it has none without a configuration.
  bare: (place, { idleTimeout = 50_000, compress, prompt }) => `
defaults
  mode http
  timeout connect 5000
  timeout client 50000
  timeout server ${idleTimeout}
  ${prompt ? "option http-no-delay" : ""}
  ${compress ? "compression algo gzip\n  compression type text/event-stream text/html" : ""}
listen app
  bind 127.0.0.1:${place.port}
  ${serversOf(place, "")}
`,

  copied: (configuration, place) => {
    // Both in one file, as HAProxy requires.
    const pem = join(place.folder, "example.com.pem");
    writeFileSync(pem, [certificate, key].map((file) => readFileSync(file, "utf8")).join("\n"));
    return fill(configuration, {
      "server app1 127.0.0.1:3000 check": serversOf(place, "check"),
      "bind :443": `bind 127.0.0.1:${place.port}`,
      "/etc/ssl/example.com.pem": pem,
      "hard-stop-after 1m": "hard-stop-after 1s",
      "rand(10000),add(5000)": "rand(50),add(20)",
    });
  },

  args: (file) => ["-W", "-db", "-f", file],

  async reload(proxy) {
    proxy.signal("SIGUSR2");
  },

  endsInOrder: "SIGUSR1",
};

function serversOf({ servers }: Place, options: string): string {
  return servers.map((port, index) => `server app${index + 1} 127.0.0.1:${port} ${options}`).join("\n  ");
}
