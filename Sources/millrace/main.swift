// Everything else is in other files: code at the top level here is bound to the main actor, and callbacks from C threads are not.
Program.run()
