"""Tables of narratives: CSV, TSV, Excel, OpenDocument and Parquet files, read and written."""
