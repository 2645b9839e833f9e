export function loader() {
  return (
    <html lang="en">
      <head>
        <title>sourcecast on htmx-router</title>
        <script src="/htmx/htmx.min.js" />
        <script src="/htmx/sse.js" />
      </head>
      <body hx-ext="sse">
        <p id="hello" sse-connect="/events/hello" sse-swap="message" />
        <p id="group" sse-connect="/events/group" sse-swap="message" />
        <p id="lock" sse-connect="/events/lock" sse-swap="lock" />
      </body>
    </html>
  );
}
