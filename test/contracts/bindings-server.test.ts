// The bindings on a server: components render with the initial state, and no connection is opened.
import { join } from "node:path";
import { build } from "esbuild";
import { createElement } from "react";
import { renderToString as renderReact } from "react-dom/server";
import { compile } from "svelte/compiler";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createSSRApp, effectScope, h } from "vue";
import { renderToString as renderVue } from "vue/server-renderer";
import * as react from "../../src/bindings/react.ts";
import { subscriptionStores } from "../../src/bindings/svelte/store.ts";
import * as vue from "../../src/bindings/vue.ts";
import { root } from "../support/package.ts";
import { tick } from "../support/web.ts";

const options = { channels: ["news"] };
const append = (list: string[], { data }: { data: string }) => [...list, data];
const initial = ["begin"];
const shown = "<p>connecting: begin</p>";

const fetching = vi.fn(() => Promise.reject(new Error("A server must not connect")));
beforeEach(() => vi.stubGlobal("fetch", fetching));
afterEach(async () => {
  await tick();
  vi.unstubAllGlobals();
  expect(fetching).not.toHaveBeenCalled();
});

test("React", () => {
  function News() {
    const news = react.useSubscription("/events", options);
    react.useEvent(news, "headline", () => {});
    react.useLoss(news, () => {});
    return createElement("p", {}, `${news.status.state}: ${react.useEvents(news, append, initial)}`);
  }
  expect(renderReact(createElement(News))).toBe(shown);
});

test("Vue", async () => {
  const News = {
    setup() {
      const news = vue.useSubscription(() => "/events", options);
      vue.useEvent(news, "headline", () => {});
      vue.useLoss(news, () => {});
      const list = vue.useEvents(news, append, initial);
      return () => h("p", `${news.status.value.state}: ${list.value}`);
    },
  };
  expect(await renderVue(createSSRApp(News))).toBe(shown);
});

test("Vue, outside of a component, as a store of Pinia may be", () => {
  const scope = effectScope();
  scope.run(() => {
    const news = vue.useSubscription("/events", options);
    expect(vue.useEvents(news, append, initial).value).toBe(initial);
    expect(news.status.value.state).toBe("connecting");
  });
  scope.stop();
});

test("Svelte 5", async () => {
  const source = `<script>
    import { createSubscription } from "sourcecast/svelte";
    let { options, append, initial } = $props();
    const news = createSubscription("/events", options);
    const list = news.reduce(append, initial);
    $effect(() => news.on("headline", () => {}));
  </script><p>{news.status.state}: {list.current}</p>`;
  const { code } = compile(source, { filename: "News.svelte", generate: "server" }).js;
  const { outputFiles } = await build({
    stdin: { contents: `${code}\nexport { render } from "svelte/server";`, resolveDir: root },
    alias: { "sourcecast/svelte": join(root, "src/bindings/svelte.ts") },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    logLevel: "warning",
  });
  const module = await import(`data:text/javascript;base64,${btoa(outputFiles[0]?.text ?? "")}`);
  const { body } = module.render(module.default, { props: { options, append, initial } });
  expect(body.replace(/<!--.*?-->/g, "")).toBe(shown);
});

test("stores of Svelte 4, also when their subscriber stays", () => {
  const { status, reduce } = subscriptionStores("/events", options);
  const seen: unknown[] = [];
  const stops = [
    status.subscribe(({ state }) => seen.push(state)),
    reduce(append, initial).subscribe((list) => seen.push(list)),
  ];
  expect(seen).toEqual(["connecting", initial]);
  for (const stop of stops) stop();
});

/** The arguments that are wrong, and the name of each in the error. */
const mistakes: [name: string, call: (hooks: typeof react, stream: never) => unknown, error: RegExp][] = [
  ["useEvent", (hooks, stream) => hooks.useEvent(stream, "*", 5 as never), /^The listener is 5; pass a function$/],
  ["useLoss", (hooks, stream) => hooks.useLoss(stream, {} as never), /^The listener is .+; pass a function$/],
  // The two arguments in the wrong order.
  [
    "useEvents",
    (hooks, stream) => hooks.useEvents(stream, [] as never, append),
    /^The reducer is .+; pass a function$/,
  ],
  [
    "useEvents, of losses",
    (hooks, stream) => hooks.useEvents(stream, append as never, initial, 5 as never),
    /^The reducer is 5; pass a function$/,
  ],
];

describe.each(mistakes)("%s without a function is an error when the component is set up", (_, call, error) => {
  const thrown = expect.objectContaining({ code: "ERR_SSE_ARGUMENT", message: expect.stringMatching(error) });

  test("React", () => {
    function News() {
      call(react, react.useSubscription("/events", options) as never);
      return null;
    }
    expect(() => renderReact(createElement(News))).toThrow(thrown);
  });

  test("Vue", () => {
    const scope = effectScope();
    expect(() => scope.run(() => call(vue as never, vue.useSubscription("/events", options) as never))).toThrow(thrown);
    scope.stop();
  });
});

test("reducers of a Svelte store that are not functions are an error at once", () => {
  const { reduce } = subscriptionStores("/events", options);
  expect(() => reduce([] as never, append)).toThrow(/^The reducer is /);
  expect(() => reduce(append, initial, 5 as never)).toThrow(/^The reducer is 5/);
});
