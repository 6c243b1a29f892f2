// node limited.js DRAFT LIMIT WINDOW_MS starts a server with express-rate-limit, and prints its port. /counts returns how
// many requests it has had, and how many of them it has refused.
const express = require("express");
const { rateLimit } = require("express-rate-limit");

const [draft, limit, windowMs] = process.argv.slice(2);
const counts = { requests: 0, refused: 0 };
const app = express();
app.get("/counts", (req, res) => res.json(counts));
app.use((req, res, next) => {
  counts.requests++;
  res.on("finish", () => { if (res.statusCode === 429) counts.refused++; });
  next();
});
app.use(rateLimit({ windowMs: Number(windowMs), limit: Number(limit), standardHeaders: draft, legacyHeaders: false }));
app.get("/", (req, res) => res.send("ok"));
const server = app.listen(0, "127.0.0.1", () => console.log("port " + server.address().port));
