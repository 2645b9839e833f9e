// For a browser or any other client: every event with the type that the contract gives its data.
import { openEvents } from "sourcecast/ts-rest";
import { contract } from "./contract.ts";

const stream = openEvents(contract.getEvents, { baseUrl: "http://localhost:3000", query: { user: "ann" } });

stream.on("message", ({ id, message }, event) => {
  console.log(`${id.padStart(4)}: ${message} (${event.lastEventId})`);
});
stream.onLoss(({ kind }) => console.log(`Events are missing: ${kind}`));
