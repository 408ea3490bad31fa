-- Whether packed bytes survive the way here, the library that reads them, and the way back.
return struct.pack('<BI6', struct.unpack('<BI6', ARGV[1]))
