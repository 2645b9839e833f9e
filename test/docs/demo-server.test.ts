/** The demo's server, asked by programs and by people who mistype. */
import { describe, expect, onTestFinished, test } from "vitest";
import { Http1Client } from "../support/client.ts";
import { useDemoServer } from "../support/demo-server.ts";

const fixture = useDemoServer();

async function ask(method: string, path: string, headers: Record<string, string> = {}): Promise<Http1Client> {
  const client = new Http1Client(fixture.demo.port, { method, path, headers: { connection: "close", ...headers } });
  onTestFinished(() => client.leave());
  await client.until(() => client.status !== 0);
  if (method !== "HEAD") await client.opened();
  return client;
}

const windowId = "0".repeat(32);

describe("the demo's server", () => {
  test("answers HEAD as GET, without a body", async () => {
    for (const path of ["/", "/style.css", "/favicon.ico", `/events?window=${windowId}&as=quiet-heron`, "/nothing"]) {
      const [get, head] = [await ask("GET", path), await ask("HEAD", path)];
      expect([path, head.status, head.headers["content-type"]]).toEqual([
        path,
        get.status,
        get.headers["content-type"],
      ]);
      expect(head.body).toHaveLength(0);
    }
  });

  test("has an icon under the name that browsers guess", async () => {
    const icon = await ask("GET", "/favicon.ico");
    expect([icon.status, icon.headers["content-type"]]).toEqual([200, "image/svg+xml"]);
  });

  test.each([
    ["POST", "/", "GET, HEAD"],
    ["DELETE", "/events", "GET, HEAD"],
    ["PUT", "/style.css", "GET, HEAD"],
    ["GET", "/chat", "POST"],
    ["HEAD", "/line", "POST"],
    ["OPTIONS", "/document", "POST"],
  ])("%s %s is answered 405", async (method, path, allow) => {
    const client = await ask(method, path);
    expect([client.status, client.headers.allow]).toEqual([405, allow]);
  });

  test("has a page for an address with nothing, with a way to the demo", async () => {
    const page = await ask("GET", "/index.php", { accept: "text/html,*/*" });
    expect([page.status, page.headers["content-type"]]).toEqual([404, "text/html; charset=utf-8"]);
    expect(page.body.toString()).toContain('<a class="button" href="/">');
    expect((await ask("GET", "/index.php")).body.toString()).toBe("There is nothing here");
  });

  test("gives two windows that open at once different names and colors", async () => {
    const pages = await Promise.all(Array.from({ length: 12 }, () => ask("GET", "/")));
    await Promise.all(pages.map((page) => page.until(() => page.body.includes("</html>"))));
    const names = pages.map((page) => /data-persona="([\w-]+)"/.exec(page.body.toString())?.[1]);
    expect(new Set(names).size).toBe(12);
    expect(new Set(names.map((name) => name?.split("-")[1])).size).toBe(12);
  });

  test.each(["//", "//x:y", "*", "http://[", "/%"])("the address %j does no harm", async (path) => {
    expect((await ask("GET", path)).status).toBeLessThan(500);
  });
});
