// The PC board.
