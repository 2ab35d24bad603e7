"""Transcripts, chats and subtitles: who speaks, and what of a text is no narrative."""
