// Looking inside.
