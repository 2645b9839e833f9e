// The messages of chats, in the application's own table.
import { DatabaseSync } from "node:sqlite";

export function openMessages(path) {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000");
  database.exec("CREATE TABLE IF NOT EXISTS message (chat TEXT, id TEXT, json TEXT, PRIMARY KEY (chat, id))");
  const insert = database.prepare("INSERT OR REPLACE INTO message VALUES (?, ?, ?)");
  const select = database.prepare("SELECT json FROM message WHERE chat = ? ORDER BY rowid");
  const remove = database.prepare("DELETE FROM message WHERE chat = ?");
  return {
    add: (chat, message) => void insert.run(chat, message.id, JSON.stringify(message)),
    list: (chat) => select.all(chat).map(({ json }) => JSON.parse(json)),
    clear: (chat) => void remove.run(chat),
  };
}
