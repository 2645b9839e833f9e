/** Reads the stream of a response until it contains `expected`, disconnects, and returns what it read. */
export async function readUntil(response, expected) {
  let text = "";
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (text.includes(expected)) return text;
  }
  throw new Error(`The stream ended without "${expected}": ${text}`);
}
