import type { IncomingMessage, ServerResponse } from "node:http";
import { Controller, Get, Header, Req, Res } from "@nestjs/common";
import { EventSourceSet } from "sourcecast";
import { openEventSource } from "sourcecast/node";

const page = `<!doctype html>
<title>sourcecast on Nest</title>
<p>It is <b id="time">…</b></p>
<script>
  new EventSource("/events").addEventListener("time", (event) => {
    document.querySelector("#time").textContent = JSON.parse(event.data);
  });
</script>`;

@Controller()
export class EventsController {
  readonly #clients = new EventSourceSet();

  constructor() {
    setInterval(() => this.#clients.dispatch("time", new Date()), 1_000).unref();
  }

  @Get("events")
  events(@Req() req: IncomingMessage, @Res() res: ServerResponse): void {
    this.#clients.add(openEventSource(req, res));
  }

  @Get()
  @Header("content-type", "text/html; charset=utf-8")
  page(): string {
    return page;
  }
}
