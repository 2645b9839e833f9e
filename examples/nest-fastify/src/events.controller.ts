import { Controller, Get, Header, Req, Res } from "@nestjs/common";
import type { FastifyReply, FastifyRequest } from "fastify";
import { EventSourceSet } from "sourcecast";
import { openEventSource } from "sourcecast/fastify";

const page = `<!doctype html>
<title>sourcecast on Nest with Fastify</title>
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
  events(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.#clients.add(openEventSource(request, reply));
  }

  @Get()
  @Header("content-type", "text/html; charset=utf-8")
  page(): string {
    return page;
  }
}
