"""A target whose import fails with a message meant to do harm."""

raise OSError("\x1b[31m[red]loud[/red] [/] :skull: </script> ]]> & \"'<b>|` \x00\x07\r\n\ud800 \\")
