import { exampleSuite } from "../contracts/example.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { startExample, startFixture } from "../support/fixture.ts";

serveSuite("Nest 12 on Express", () => startFixture("nest"));
serveSuite("Nest 12 on Fastify", () => startFixture("nest-fastify"));
exampleSuite("Nest", () => startExample("nest"));
exampleSuite("Nest on Fastify", () => startExample("nest-fastify"));
