// What the board leaves in memory for the guest to find.
