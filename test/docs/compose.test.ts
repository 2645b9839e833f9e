// `compose.yaml` of the example of a cluster: it names only files, ports, variables and stores that the example has. Containers
// are not started here; `npm run cluster` runs the same files without them.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../support/package.ts";

const folder = join(root, "examples/cluster");
const textOf = (name: string): string => readFileSync(join(folder, name), "utf8");
const compose = textOf("compose.yaml");
/** The names of the services. */
const services = [...compose.slice(compose.indexOf("\nservices:")).matchAll(/^ {2}(\w+):$/gm)].map(([, name]) => name);
/** The lines of the block `environment`, by their names. */
const variables = new Map(
  [
    ...(/environment: &environment\n((?: {4}.*\n)+)/.exec(compose)?.[1] ?? "").matchAll(/^ {4}(\w+): "?([^"\n]+)/gm),
  ].map(([, name = "", value = ""]) => [name, value]),
);

test("each variable is one that a process or its supervisor reads, and the names are their arguments", () => {
  expect([...variables.keys()]).toEqual(["HOST", "PORT", "STORE", "STORE_URL"]);
  for (const file of ["supervisor.js", "server.js"]) {
    const read = /const \{ (.+) \} = process\.env/.exec(textOf(file))?.[1] ?? "";
    for (const name of variables.keys()) expect(read.split(/\W+/)).toContain(name);
  }
  expect(compose).toContain('exec node supervisor.js "$$NAME"');
  for (const name of ["a", "b", "c"]) expect(compose).toContain(`NAME: ${name} }`);
});

test("everything that the command copies is there, and is everything that the processes import", () => {
  const [, copied = ""] = /cp -r (.+?) \. &&/.exec(compose) ?? [];
  const names = copied.split(" ").map((path) => path.replace("/source/", ""));
  expect(names).toEqual(["*.js", "package.json", "public"]);
  const own = readdirSync(folder).filter((name) => name.endsWith(".js"));
  const imported = own.flatMap((name) =>
    [...textOf(name).matchAll(/(?:from |import\()"([^"]+)"/g)].map((match) => match[1]),
  );
  const { dependencies } = JSON.parse(textOf("package.json"));
  for (const name of imported as string[]) {
    if (name.startsWith("node:")) continue;
    if (name.startsWith(".")) expect(own).toContain(name.slice(2));
    else expect(Object.keys(dependencies)).toContain(/^(@[^/]+\/)?[^/]+/.exec(name)?.[0]);
  }
});

test("nginx finds each process next to its supervisor, and the port that is published", () => {
  const nginx = textOf("nginx.conf");
  const first = Number(variables.get("PORT"));
  const servers = [...nginx.matchAll(/server (\w+):(\d+)/g)].map(([, name, port]) => [name, Number(port)]);
  const supervisors = [...nginx.matchAll(/processes\/(\w+)\/ \{ proxy_pass http:\/\/(\w+):(\d+)/g)];
  expect(servers).toEqual(["a", "b", "c"].map((name) => [name, first + 1]));
  expect(supervisors.map(([, path, name, port]) => [path, name, Number(port)])).toEqual(
    ["a", "b", "c"].map((name) => [name, name, first]),
  );
  expect(services).toEqual(["store", "a", "b", "c", "nginx"]);
  const [, listen] = /listen (\d+);/.exec(nginx) ?? [];
  expect(compose).toContain(`:${listen}"]`);
  const [, mounted = ""] = /"\.\/([\w.]+):\/etc\/nginx/.exec(compose) ?? [];
  expect(existsSync(join(folder, mounted))).toBe(true);
});

test("each store that it names is one of the example, with an address on the service and a version that the log takes", () => {
  const known = [...textOf("log.js").matchAll(/^ {2}async (\w+)\(/gm)].map(([, name]) => name);
  const oldest: Record<string, number[]> = { redis: [6, 2], postgres: [13, 0], nats: [2, 12] };
  const images = [...compose.matchAll(/image: (redis|postgres|nats):([\d.]+)/g)];
  expect(images.map(([, store]) => store).sort()).toEqual(["nats", "postgres", "redis"]);
  for (const [, store = "", version = ""] of images) {
    expect(known).toContain(store);
    const [major = 0, minor = 0] = version.split(".").map(Number);
    const [wantedMajor = 0, wantedMinor = 0] = oldest[store] as number[];
    expect(major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)).toBe(true);
  }
  expect([variables.get("STORE"), variables.get("STORE_URL")]).toEqual(["redis", "redis://store:6379"]);
  expect([...compose.matchAll(/(\w+):\/\/(?:\w+:\w+@)?store\b/g)].map(([, scheme]) => scheme).sort()).toEqual([
    "nats",
    "postgres",
    "redis",
  ]);
});
