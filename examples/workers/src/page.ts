export default `<!doctype html>
<title>sourcecast on Workers</title>
<ul></ul>
<form><input name="text" autofocus required> <button>Say</button></form>
<script>
  const room = "/rooms/lobby";
  new EventSource(room).addEventListener("said", (event) => {
    const item = document.createElement("li");
    item.textContent = JSON.parse(event.data).text;
    document.querySelector("ul").append(item);
  });
  document.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    const { text } = event.target;
    await fetch(room, { method: "POST", body: text.value });
    text.value = "";
  };
</script>`;
