/** Who hears what comes over the line (`connection.ts`), and what they want of it. */

import type { CanvasState, PictureFrame, ServerMessage, Welcome } from './protocol';

export type Trouble = 'lost' | 'busy' | 'draining' | 'unauthorized' | 'failed';

export interface Listener {
  /** `fresh`: the server knows nothing of this page's drawing. */
  welcome(message: Welcome, fresh: boolean): void;
  accepted(id: number, revision: number): void;
  message(message: ServerMessage): void;
  /** `shown` gives the credit back, as long as the line that brought the picture lives. */
  picture(frame: PictureFrame, arrived: number, shown: () => void): void;
  canvas(canvas: CanvasState): void;
  /** No line now; the next try is in `seconds` (null: only after somebody does something). */
  down(trouble: Trouble, message: string, seconds: number | null): void;
}

export interface Wants {
  pictures: boolean;
  previews: boolean;
}
