/** The page's beginning. */

import { App } from './app';

void new App().start();
