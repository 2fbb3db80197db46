"""The command line's subcommands, a module each in three rooms, and what several of them share.

Knows every room, and is the only one to see ``landscape.plot``. Is given words typed by a user; hands on files,
pictures and a few lines of text. What a command's module has to hold is said in `landscape.cli`.
"""
