import type { IncomingMessage } from "node:http";
import { WebSocketServer } from "ws";
import type { ApiServer } from "../../src/demo/api-server.ts";
import { answerText } from "../../src/demo/api-answers.ts";

/** What became of a command: its output and its end, as the API server's last message tells it. */
export interface Ended {
  stdout?: string;
  /** Object of kind Status; nothing at all where the connection just ends. */
  status?: object;
}

export const success = { kind: "Status", status: "Success" };

/** The Status of a command that ended with this code. */
export const exitCode = (code: number): object => ({
  ...{ kind: "Status", status: "Failure", reason: "NonZeroExitCode" },
  message: `command terminated with non-zero exit code: exit status ${code}`,
  details: { causes: [{ reason: "ExitCode", message: String(code) }] },
});

/**
 * Has a fake API server run commands in pods: `run` says what one comes to, or refuses it with an
 * HTTP status and a body. It gets the words of the command, and the request's path.
 */
export function serveExec(
  api: ApiServer,
  run: (command: string[], path: string) => Ended | { refuse: number; body: object },
): void {
  const server = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => (offered.has("v4.channel.k8s.io") ? "v4.channel.k8s.io" : false),
  });
  api.onUpgrade = (request: IncomingMessage, socket, head) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://server");
    if (!pathname.endsWith("/exec")) return false;
    const outcome = run(searchParams.getAll("command"), pathname);
    if ("refuse" in outcome) {
      answerText(socket, outcome.refuse, outcome.body);
      return true;
    }
    server.handleUpgrade(request, socket, head, (webSocket) => {
      const send = (channel: number, text: string) =>
        webSocket.send(Buffer.concat([Buffer.of(channel), Buffer.from(text)]));
      // As the real one: an empty message on each channel at first, and output in pieces.
      for (const channel of [0, 1, 2, 3]) send(channel, "");
      const { stdout = "", status } = outcome;
      const half = Math.floor(stdout.length / 2);
      send(1, stdout.slice(0, half));
      send(1, stdout.slice(half));
      send(2, "a warning");
      if (status) send(3, JSON.stringify(status));
      webSocket.close(1000);
    });
    return true;
  };
}
