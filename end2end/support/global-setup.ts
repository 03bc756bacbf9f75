import { OwnServer } from "./server.ts";

/** One server for all tests that do not stop it or count what it holds. */
export default async function () {
  const server = await OwnServer.first();
  process.env.END2END_URL = server.url;
  process.env.END2END_DATA = server.data;
  process.env.END2END_ACCESS = JSON.stringify(server.access);
  process.env.END2END_STARTED = String(Date.now());
  return () => server.stop();
}
