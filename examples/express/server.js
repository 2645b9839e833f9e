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
<h1>Messages to <output></output></h1>
<form>
  <input name="text" aria-label="Message" placeholder="A message" required>
  <button>Send to everyone</button>
</form>
<ul></ul>
<script>
  const user = new URLSearchParams(location.search).get("user") ?? "ann";
  document.querySelector("output").textContent = user;

  new EventSource("/events/" + encodeURIComponent(user)).onmessage = ({ data }) => {
    document.querySelector("ul").append(Object.assign(document.createElement("li"), { textContent: JSON.parse(data).text }));
  };

  document.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    const body = JSON.stringify({ text: event.target.text.value });
    fetch("/messages", { method: "POST", headers: { "content-type": "application/json" }, body });
    event.target.reset();
  };
</script>`);
});

app.use(overloadHandler);
const server = app.listen(process.env.PORT ?? 3000, () => {
  console.log(`http://localhost:${server.address().port}`);
});
