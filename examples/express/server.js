import express from "express";
import { createSSE, overloadHandler } from "sourcecast/express";

const sse = createSSE({ connections: 1_000, connectionTimeout: "1h" });
const app = express();
app.use(express.json());

app.get("/events/:user", (req, res) => {
  sse.attach(req.params.user, res);
});

// To everyone, or to all tabs of one user: curl -H content-type:application/json -d '{"text":"Hi"}' localhost:3000/messages/ann
app.post("/messages{/:user}", async (req, res) => {
  const id = await sse.send("message", req.body, { to: req.params.user });
  res.json({ id, connections: sse.size });
});

app.get("/", (_req, res) => {
  res.send(`<!doctype html>
<title>sourcecast on Express</title>
<ul></ul>
<script>
  const user = new URLSearchParams(location.search).get("user") ?? "ann";
  new EventSource("/events/" + encodeURIComponent(user)).onmessage = (event) => {
    document.querySelector("ul").append(Object.assign(document.createElement("li"), { textContent: event.data }));
  };
</script>`);
});

app.use(overloadHandler);
const server = app.listen(process.env.PORT ?? 3000, () => {
  console.log(`http://localhost:${server.address().port}`);
});
