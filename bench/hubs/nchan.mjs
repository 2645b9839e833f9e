/** @type {import("../lib/hub.mjs").Description} */
export default {
  name: "nginx with nchan",
  needs: {
    programs: ["/usr/sbin/nginx", "/usr/lib/nginx/modules/ngx_nchan_module.so"],
    from: "nginx with the module nchan (Debian: libnginx-mod-nchan)",
  },
  files: {
    "nginx.conf": `
load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off;
worker_processes 1;
worker_rlimit_nofile 30000;
pid {folder}/nginx.pid;
error_log /dev/null;
events { worker_connections 20000; }
http {
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  keepalive_timeout 600s;
  nchan_shared_memory_size 256M;
  server {
    listen 127.0.0.1:{port} backlog=4096;
    location = /events { nchan_subscriber eventsource; nchan_channel_id ticks; nchan_subscriber_first_message newest; nchan_eventsource_ping_interval 0; }
    location = /publish { nchan_publisher; nchan_channel_id ticks; nchan_message_buffer_length 100; }
  }
}
`,
  },
  command: ["/usr/sbin/nginx", "-p", "{folder}", "-c", "{folder}/nginx.conf", "-e", "stderr"],
  subscribe: { path: "/events" },
  publish: { path: "/publish", body: "{data}" },
};
