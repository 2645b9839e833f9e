import { Application, Router } from "@oakserver/oak";
import { EventSourceSet, ServerSentEvent } from "sourcecast";
import { sendEvents, withSendEvents } from "sourcecast/oak";

const app = new Application();
const router = new Router();
const everyone = new EventSourceSet();

router.get("/", (ctx) => {
  ctx.response.type = "html";
  ctx.response.body = `<!doctype html>
<title>sourcecast on Oak</title>
<ul></ul>
<script>
  const source = new EventSource("/sse");
  const show = (event) => {
    document.querySelector("ul").append(Object.assign(document.createElement("li"), { textContent: event.data }));
  };
  source.onmessage = show;
  source.addEventListener("ping", show);
</script>`;
});

router.get("/sse", (ctx) => {
  if (!ctx.request.accepts("text/event-stream")) ctx.throw(406);
  const headers = new Headers([["X-Custom-Header", "custom value"]]);
  const target = sendEvents(ctx, { headers });
  everyone.add(target);
  target.addEventListener("ping", (event) => {
    if (event.data === '"secret"') event.preventDefault();
  });
  target.dispatchComment("for debugging");
  target.dispatchMessage({ hello: "world" });
  target.dispatchEvent(new ServerSentEvent("ping", { hello: "world" }));
  target.dispatchEvent(new ServerSentEvent("ping", '"secret"', { cancelable: true }));
});

// As Oak's own documentation has it: the middleware makes its `ctx.sendEvents()` work.
router.get("/once", withSendEvents(), async (ctx) => {
  const target = await ctx.sendEvents();
  target.dispatchMessage({ hello: "world" });
  await target.close();
});

router.post("/messages", async (ctx) => {
  ctx.response.body = { served: everyone.dispatch("message", await ctx.request.body.json()) };
});

app.use(router.routes());
app.use(router.allowedMethods());
app.addEventListener("listen", ({ port }) => console.log(`http://localhost:${port}`));
await app.listen({ port: Number(process.env.PORT ?? 3000) });
