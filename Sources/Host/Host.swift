// What the host gives: event loop, terminal, files, signals, clocks.
