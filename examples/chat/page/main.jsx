import { createRoot } from "react-dom/client";
import { Chat } from "./chat.jsx";

const id = location.pathname.slice(1);
if (id === "") location.replace(`/${crypto.randomUUID().slice(0, 8)}`);
else {
  const response = await fetch(`/api/chat/${id}/messages`);
  createRoot(document.querySelector("#page")).render(<Chat id={id} messages={await response.json()} />);
}
