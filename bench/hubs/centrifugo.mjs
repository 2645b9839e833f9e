const subscriptions = JSON.stringify({ subs: { ticks: {} } });

/** The defaults, with one channel open to every client. It logs nothing. */
const configuration = {
  http_server: { address: "127.0.0.1", port: "{port}" },
  log: { level: "none" },
  uni_sse: { enabled: true },
  http_api: { insecure: true },
  client: {
    insecure: true,
    allow_anonymous_connect_without_token: true,
  },
  channel: {
    without_namespace: {
      allow_subscribe_for_client: true,
      allow_subscribe_for_anonymous: true,
      history_size: 100,
      history_ttl: "300s",
    },
  },
};

/** @type {import("../lib/hub.mjs").Description} */
export default {
  name: "Centrifugo",
  needs: { programs: ["centrifugo"], from: "go install github.com/centrifugal/centrifugo/v6@v6.9.1" },
  files: { "config.json": JSON.stringify(configuration) },
  command: ["centrifugo", "--config", "{folder}/config.json"],
  subscribe: { path: `/connection/uni_sse?cf_connect=${encodeURIComponent(subscriptions)}` },
  publish: {
    path: "/api/publish",
    headers: { "content-type": "application/json" },
    body: '{"channel":"ticks","data":"{data}"}',
  },
};
