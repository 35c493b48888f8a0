/** A headless Chromium that is told by its own protocol where to look, and gives pictures. For scripts; not part of the program. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Browser {
  /** @param settleMs - how long the page may fetch and draw before the picture is taken */
  picture(url: string, size: { readonly width: number; readonly height: number }, settleMs: number): Promise<Buffer>;
  close(): Promise<void>;
}

interface Answer {
  readonly id?: number;
  readonly result?: Record<string, string>;
  readonly error?: { readonly message: string };
}

export async function startBrowser(chromium: string, profile: string): Promise<Browser> {
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--remote-debugging-port=0'];
  const child = spawn(chromium, [...flags, `--user-data-dir=${profile}`], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit');
  let said = '';
  const address = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`${chromium} ended at once: ${said.slice(-500)}`)));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const [, found] = /DevTools listening on (ws:\S+)/.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
  });
  const socket = new WebSocket(address);
  await once(socket, 'open');
  const waiting = new Map<number, (answer: Answer) => void>();
  socket.addEventListener('message', ({ data }) => {
    const answer = JSON.parse(String(data)) as Answer;
    if (answer.id !== undefined) waiting.get(answer.id)?.(answer);
  });
  let sent = 0;
  const ask = async (method: string, params: object, sessionId?: string): Promise<Record<string, string>> => {
    const id = (sent += 1);
    const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve));
    socket.send(JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) }));
    const { result, error } = await answered;
    waiting.delete(id);
    if (error || !result) throw new Error(`${method}: ${error?.message ?? 'no result'}`);
    return result;
  };
  return {
    async picture(url, size, settleMs) {
      const { targetId } = await ask('Target.createTarget', { url });
      const { sessionId } = await ask('Target.attachToTarget', { targetId, flatten: true });
      const metrics = { ...size, deviceScaleFactor: 1, mobile: false };
      await ask('Emulation.setDeviceMetricsOverride', metrics, sessionId);
      await new Promise((resolve) => setTimeout(resolve, settleMs));
      const { data = '' } = await ask('Page.captureScreenshot', { format: 'png' }, sessionId);
      await ask('Target.closeTarget', { targetId });
      return Buffer.from(data, 'base64');
    },
    async close() {
      socket.close();
      child.kill('SIGTERM');
      await ended;
    },
  };
}
