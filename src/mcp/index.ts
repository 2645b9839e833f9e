// sourcecast/mcp: the event bus and the event store of MCP servers that run in several processes.
export { type EventBusOptions, eventBus, type McpEventBus, type McpServerEvent } from "./event-bus.ts";
export { type EventStoreOptions, eventStore, type McpEventStore } from "./event-store.ts";
