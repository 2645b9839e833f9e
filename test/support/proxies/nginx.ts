import { certificate, fill, key, type Place, type ProxyKind } from "./proxy.ts";

export const nginx: ProxyKind = {
  name: "nginx",
  file: "nginx.conf",

  bare: (place, { idleTimeout, compress }) => {
    const upstream = `upstream app { ${serversOf(place)} }`;
    const lines = [
      idleTimeout === undefined ? "" : `proxy_read_timeout ${idleTimeout}ms;`,
      compress ? "gzip on; gzip_types *; gzip_proxied any; gzip_min_length 0;" : "",
    ];
    const location = `location / { proxy_pass http://app; ${lines.join(" ")} }`;
    return main(`${upstream} server { listen 127.0.0.1:${place.port}; ${location} }`, place);
  },

  copied: (configuration, place) => {
    const site = fill(configuration, {
      "server 127.0.0.1:3000;": serversOf(place),
      "listen 443": `listen 127.0.0.1:${place.port}`,
      "/etc/ssl/example.com.pem": certificate,
      "/etc/ssl/example.com.key": key,
      ...Object.fromEntries(["5000", "8000", "11000", "14000"].map((later) => [` ${later};`, " 50;"])),
    });
    return main(site, place);
  },

  args: (file) => ["-e", "stderr", "-c", file],

  async reload(proxy) {
    proxy.signal("SIGHUP");
  },

  endsInOrder: "SIGQUIT",
};

function serversOf({ servers }: Place): string {
  return servers.map((port) => `server 127.0.0.1:${port};`).join(" ");
}

/** The file around a site's own. By default, nginx writes to folders that belong to root. */
export function main(site: string, { folder }: Pick<Place, "folder">): string {
  const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  return `
daemon off;
worker_processes 1;
worker_shutdown_timeout 1s;
pid ${folder}/nginx.pid;
error_log stderr;
events {}
http {
access_log off;
${folders.join("\n")}
${site}
}
`;
}
