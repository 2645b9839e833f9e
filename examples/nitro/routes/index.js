import { defineHandler, html } from "nitro/h3";

export default defineHandler(
  () => html`<!doctype html>
<title>sourcecast on Nitro</title>
<p>It is <b id="time">…</b></p>
<script>
  new EventSource("/events").addEventListener("time", (event) => {
    document.querySelector("#time").textContent = JSON.parse(event.data);
  });
</script>`,
);
