import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { EventsController } from "./events.controller.js";

@Module({ controllers: [EventsController] })
class AppModule {}

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000);
