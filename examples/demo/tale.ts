/** The tale. It is always the same, so that the demo needs no model, key or network. */
const tale = `
Once there was an event that did not want to get lost. It was a small event, one line of data and a modest name, and it
had been published on a Tuesday, which no one ever remembers.

“Stay close to the others,” said the server, and put a blank line after it, the way one tucks a scarf into a coat. Then it
pushed the event out into the socket.

It was dark in there. A packet went by, out of breath. “Are you in order?” the event called. “I am a retransmission,” the
packet sighed. “I am always the last to know.”

At the proxy they were stopped. “We collect here,” said the proxy, “until it is worth the walk.” “I am of the kind
text slash event dash stream,” said the event, as firmly as it could, “and I may not be buffered.” The proxy had never been
told so in such a friendly way. It let everyone through.

Then the tunnel came. A real one: the train went in, and the line was dead. The event waited in the dark with its number on
its chest, as it had been taught. It counted sheep. It counted bytes. After two seconds and a bit, chosen at random so that no
one would be trampled, there was a knock. “Hello again,” said the browser. “The last one I had was forty-one.”

“I am forty-two,” said the event, and its voice trembled only a little.

“Then you are exactly what I was missing,” said the browser, and set it on the page, right where it belonged, for everyone
to see.
`;

/** The tale in pieces like the tokens of a language model: words, and parts of long words. */
export const tokens: readonly string[] = tale
  .trim()
  .split(/\n\n/)
  .map((paragraph) => paragraph.replaceAll("\n", " "))
  .join("\n\n")
  .match(/\s*[^\s]{1,6}/g) as string[];
